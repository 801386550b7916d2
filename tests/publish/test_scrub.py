"""What a manifest gives away is in nothing that is published."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.publish.scrub import REMOVED, Scrubber, names_secret

SECRETS = {
    "token": "hf_" + "Zy9Xw8Vu7" * 4,
    "password": "pa55-word/with-slash",
    "in_url": "urlsecret77",
    "in_query": "querysecret88",
    "in_flag": "flagsecret99",
    "bearer": "bearersecret123456",
    "pem": "-----BEGIN PRIVATE KEY-----\nMIIBplanted0\n-----END PRIVATE KEY-----",
    "environment": "environment-secret-0001",
}
PATHS = [
    "/home/alice/models/qwen-7b",
    "/Users/alice/My Data/o'brien/seeds & more.jsonl",
    "/root/cotmill/outputs/run",
    "/mnt/team-alice/adapters/best",
    "C:\\Users\\alice\\seeds.jsonl",
    "file:///home/alice/more.parquet",
    "/home/alice",
]


def planted() -> dict:
    """A manifest that holds a secret or a path of this machine in every kind of place."""
    return {
        "run_id": "0" * 32,
        "config": {
            "output_dir": PATHS[2],
            "source": {"type": "jsonl", "path": [PATHS[1], PATHS[4], PATHS[5]]},
            "backend": {
                "model": PATHS[0],
                "base_url": f"http://alice:{SECRETS['in_url']}@10.0.0.7:8000/v1"
                f"?api_key={SECRETS['in_query']}&mode=fast",
                "headers": {"X-Whatever": SECRETS["password"], "X-Number": 12345678},
                "request": {"apiKey": SECRETS["token"], "user": PATHS[6]},
                "api_key_env": "PLANTED_NAME",
            },
            "runner": {"options": {"argv": f"--token={SECRETS['in_flag']} --workers=2"}},
        },
        "segments": [
            {
                "stages": [
                    {
                        "name": "solve",
                        "in": 3,
                        "kept": 3,
                        "rejected": {},
                        "models": {f"{PATHS[0]}+{PATHS[3]}": {"requests": 3}},
                        "notes": [f"Authorization: Bearer {SECRETS['bearer']}", SECRETS["pem"]],
                        "detail": f"{PATHS[2]}/ledger/part-1.parquet: cannot be read",
                    }
                ]
            }
        ],
        "error": f"the endpoint says: no such key {SECRETS['environment']}",
    }


ENVIRONMENT = {"PLANTED_NAME": SECRETS["environment"], "OPENAI_API_KEY": "not-needed"}


def leaks(text: str) -> list[str]:
    """What a text still gives away."""
    planted_texts = [*SECRETS.values(), "MIIBplanted0", "12345678", "alice", "/root", "My Data"]
    return [secret for secret in planted_texts if secret in text]


def test_no_place_of_a_manifest_keeps_a_secret_or_a_path():
    manifest = planted()
    assert len(leaks(json.dumps(manifest, ensure_ascii=False).replace("\\n", "\n"))) >= 11
    published = Scrubber(manifest, ENVIRONMENT).manifest(manifest)
    assert leaks(json.dumps(published)) == []


def test_what_is_no_secret_stays_in_a_manifest():
    manifest = planted()
    published = Scrubber(manifest, ENVIRONMENT).manifest(manifest)
    config, [stage] = published["config"], published["segments"][0]["stages"]
    assert published["run_id"] == "0" * 32
    assert config["output_dir"] == "run"
    assert config["source"]["path"] == ["seeds & more.jsonl", "seeds.jsonl", "more.parquet"]
    assert config["backend"]["model"] == "qwen-7b"
    assert config["backend"]["api_key_env"] == "PLANTED_NAME"
    assert config["backend"]["base_url"].startswith("http://10.0.0.7:8000/v1?")
    assert config["backend"]["base_url"].endswith("&mode=fast")
    assert config["runner"]["options"]["argv"] == f"--token={REMOVED} --workers=2"
    assert stage["models"] == {"qwen-7b+best": {"requests": 3}}
    assert stage["detail"] == "part-1.parquet: cannot be read"


@pytest.mark.parametrize(
    "text",
    [
        "https://host/v1/chat and gs://bucket/seeds/a.jsonl",
        "<td>a</td></tr><br/>",
        "speed in km/h/s, 1/2/3 and a = b /c",
        "data/prompts/caco and ./outputs/run and ~/models/x",
        "/no_think",
        "sk-learn and hf_transfer and eyJ",
        "bearer of news",
        "{{ root }}/a/b",
        "https://host/search?mail=a@b.c",
        "re.split('b:\\s+', text)",
        "headers: {}",
    ],
)
def test_texts_without_secrets_stay_as_they_are(text):
    assert Scrubber({}, {}).text(text) == text
    assert Scrubber({}, {}).manifest({"text": text}) == {"text": text}


def test_a_page_is_scrubbed_where_html_has_escaped_it_and_yaml_has_wrapped_it():
    wrapped = "/Users/alice/My\n  Data/o&#39;brien/seeds &amp; more.jsonl"
    page = f"<td>/home/alice/x/y.jsonl</td><td>/home/bob/z.jsonl</td> path: {wrapped}"
    published = Scrubber(planted(), ENVIRONMENT).text(page)
    assert published == "<td>~/x/y.jsonl</td><td>z.jsonl</td> path: seeds & more.jsonl"


def test_a_secret_too_short_to_look_for_is_taken_out_of_the_settings_of_a_page():
    page = "<pre>backend:\n  password: it''s\n  db_password: null\n  max_tokens: 9\n</pre>"
    published = Scrubber({}, {}).text(page)
    assert published == page.replace("it''s", REMOVED)


def test_rows_lose_secrets_and_paths_of_the_manifest_at_any_depth():
    rows = [
        {"id": "a", "n": 1, "source": PATHS[1], "models": {"solve": PATHS[0]}, "messages": []},
        {
            "id": "b",
            "n": 2,
            "source": "cotmill/seeds",
            "models": {"solve": None},
            "messages": [{"content": f"use {SECRETS['environment']} and {SECRETS['token']}"}],
        },
        {"id": "c", "n": 3, "source": "s", "models": None, "messages": [{"content": "/usr/bin/x"}]},
    ]
    batch = pa.RecordBatch.from_pylist(rows)
    published, changed = Scrubber(planted(), ENVIRONMENT).rows(batch)
    assert changed == 2
    assert published.schema == batch.schema
    assert leaks(json.dumps(published.to_pylist())) == []
    assert published.to_pylist()[0]["models"] == {"solve": "qwen-7b"}
    assert published.to_pylist()[2] == rows[2]


def test_rows_without_secrets_are_the_same_batch():
    batch = pa.RecordBatch.from_pylist(
        [{"text": "a not-needed word, /home/alicia/models/qwen-7b2"}]
    )
    published, changed = Scrubber(planted(), ENVIRONMENT).rows(batch)
    assert (published.equals(batch), changed) == (True, 0)


@pytest.mark.parametrize(
    "key",
    ["password", "api_key", "apiKey", "X-Api-Key", "hub_token", "Authorization", "client_secret"],
)
def test_keys_that_name_a_secret(key):
    assert names_secret(key)


@pytest.mark.parametrize(
    "key", ["max_tokens", "tokens.prompt", "eos_token", "api_key_env", "key", "monkey", "secretary"]
)
def test_keys_that_name_none(key):
    assert not names_secret(key)


NAMES = st.text("abcxyz0189_-.é", min_size=1, max_size=8).filter(lambda name: name.strip("."))
PLACES = st.tuples(
    st.sampled_from(["", "see ", "error: '", "a=", "x+", "(", "[1] ", '"']),
    st.sampled_from(["", "'", " is gone", ", and", ":12: no", ")"]),
)


@given(NAMES, NAMES, st.lists(st.one_of(NAMES, st.none()), max_size=4), PLACES)
def test_no_path_of_a_home_stays_wherever_it_stands_in_a_json_value(user, name, keys, place):
    user = f"user-{user}-0"
    path = f"/home/{user}/work/{name}"
    value: object = path.join(place)
    for key in keys:
        value = [value, 1] if key is None else {key: value, path: None}
    published = Scrubber({}, {}).manifest(value)
    assert user not in json.dumps(published, ensure_ascii=False)

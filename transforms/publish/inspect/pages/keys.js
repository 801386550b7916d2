// Keys of the pages, beside those that every browser has.
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing) {
    if (event.key === "Escape") document.activeElement.blur();
    return;
  }
  const rows = [...document.querySelectorAll(".row a")];
  const at = rows.indexOf(document.activeElement);
  const target = {
    "/": document.querySelector("input[type=search]"),
    j: rows[Math.min(at + 1, rows.length - 1)],
    k: rows[Math.max(at - 1, 0)],
  }[event.key];
  const link = { n: "a[rel=next]", p: "a[rel=prev]", f: "header a[href='/']" }[event.key];
  if (target) {
    target.focus();
    event.preventDefault();
  } else if (link) {
    document.querySelector(link)?.click();
  }
});

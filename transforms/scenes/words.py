"""Words that drawn pictures show. They are invented, or as common as the names of fruits."""

NAMES = (
    "Alden", "Brook", "Corin", "Dale", "Elton", "Farin", "Glen", "Hurst", "Ilmar", "Kelby", "Lorne",
    "Marl", "Norby", "Orton", "Perth", "Quill", "Ruskin", "Selby", "Tarn", "Upton", "Velden",
    "Warren",
)  # fmt: skip
TITLES = (
    ("Visitors a day", ("Adults", "Children", "Groups")),
    ("Parcels sent", ("By road", "By rail", "By air")),
    ("Harvest in tonnes", ("Wheat", "Barley", "Oats")),
    ("Hours of work", ("Planning", "Building", "Testing")),
    ("Books lent", ("Novels", "Manuals", "Maps")),
)
"""A title, and names of its series."""
COLUMNS = (
    "Apples", "Bolts", "Candles", "Drums", "Envelopes", "Flasks", "Gloves", "Hinges", "Inks",
    "Jars", "Kettles", "Lamps",
)  # fmt: skip
SECTIONS = (
    "Accounts", "Deliveries", "Equipment", "Gardens", "Insurance", "Kitchen", "Library", "Meetings",
    "Printing", "Repairs", "Staff", "Storage", "Training", "Travel", "Workshops",
)  # fmt: skip
LINES = (
    "The order of {} units was checked by {} and found complete.",
    "After {} days, {} asked for a second look at the file.",
    "A deposit of {} crowns was returned to {} in full.",
    "Room {} is kept for {} until the end of the month.",
    "Of {} letters, {} has answered all but two.",
    "The bill for {} hours was sent to {} twice.",
)
"""A number and a name go into each."""

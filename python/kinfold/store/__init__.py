"""Tables of rows with ids: what is under every index, every inverted file and every list of items.

a thing that holds rows  (table.Table: one lock for its writers, one attribute that readers take)
  └─ Keys                 the rows of one moment: never changed, replaced as a whole
       ├─ next_id         what ids number on from; no id is given twice
       └─ parts           sealed: each a Keyed with columns of its own
            ├─ ids        int64 (n,)
            ├─ alive      uint8 (n,), 0 where a row was removed, or None
            └─ ...        vectors, codes, posting lists

add     new rows are sealed into a part, and parts of like size are merged: n additions move a row log n times
remove  marks rows in copies of the marks alone; a part of which a quarter is gone is packed anew
search  takes the Keys that it finds, and never waits
"""

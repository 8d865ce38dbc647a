"""The API: operations on accounts, the catalog, commerce, contracts and learning, over HTTP and JSON.

| module | what it holds |
|---|---|
| `http` | what every operation has: callers, refusals, pages of lists, the schema |
| `accounts`, `catalog` … | a subject each: `schemas` (what is sent and answered), `views` (the operations) |
| `root` | all operations together |
"""

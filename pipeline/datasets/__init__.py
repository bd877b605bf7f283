"""One module per dataset: what its tables, features, label and money are.

Belongs here: declarations only. Nothing else in the project names a column.
"""

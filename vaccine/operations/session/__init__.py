"""The connections of a run: opened, alone on the table, patient, and what stays when it stops."""

"""What a folder of builds holds: single rows and statistics, for a person to read.

`parquet_files` finds the shards, `rows` reads one row, `statistics` counts; `highlighting`,
`row_view` and `statistics_view` show them.
"""

"""Where shards are built: one engine is one file.

An engine has a function `run(tasks, work, workers=, open_process=)` that calls
`work(task, process)` once for each task, each worker with a process of its own, raises the first
error after it has stopped the other workers, and returns when all tasks are done.
"""

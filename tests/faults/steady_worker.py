"""The worker that compiles nothing, without its crashes."""

from tests.faults.quick_worker import main

if __name__ == "__main__":
    main(crashes=False)

"""Load generator and measurements. `make bench` runs all of it; see `bench/run.py`."""

"""The problem `gemm_tiles`; see problem.py and README.md."""

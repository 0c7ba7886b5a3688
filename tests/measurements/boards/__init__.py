"""Published runs of small devices, and the calibrations that are fitted to them.

    python -m tests.measurements.boards

Tables beside this file hold figures with their source; `networks/` the networks of ncnn's benchmark that do not ship,
layer by layer as its .param files have them (Tencent/ncnn, benchmark/models, at a4d2ea1d). What has a detection output
of many boxes (the two SSDs) is left out: its cost hangs on what was found, which no graph says.
"""

"""Jobs: the queue, the worker that starts one process a job, and what a job process wraps around its work.

State lives in runs.db alone; the worker may be killed and started again at any time without a job noticing.
"""

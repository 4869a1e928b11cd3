"""Runs and evaluations seen as jobs: the two tables in the columns of `JobRow`."""

from __future__ import annotations

JOBS = """
SELECT 'training' AS kind, id, name, state, priority, queued_at, ended_at, host, device, pid, process_start, heartbeat,
       directory, id AS run_id, state AS run_state, 0 AS after_run, '' AS subject, NULL AS split,
       COALESCE(queue_rank, queued_at) AS queue_rank, NULL AS reference, NULL AS question, dataset, model, reason,
       started_at, step, planned_steps, error_title, error_next_step,
       CASE WHEN json_valid(recipe) THEN COALESCE(json_extract(recipe, '$.training.devices'), 1) ELSE 1 END AS devices,
       phase, stalled_at
FROM runs
UNION ALL
SELECT 'evaluation', e.id, COALESCE(r.name, e.name) || CASE WHEN e.degradation = 'blank' THEN ' on grey images'
         WHEN e.degradation IS NOT NULL  -- as `records.degradation_words` says it: `speckle, severity 2`
           THEN ' on images with ' || REPLACE(REPLACE(e.degradation, '_', ' '), ':', ', severity ') ELSE '' END,
       e.state, e.priority, e.queued_at, e.ended_at, e.host, e.device,
       e.pid, e.process_start, e.heartbeat, 'outputs/evaluations/' || e.id, e.run_id, r.state, e.after_run,
       CASE WHEN e.run_id IS NOT NULL THEN 'run ' || e.run_id
         WHEN e.reference <> 'base' THEN 'references on ' || e.dataset  -- none of them needs a model
         ELSE e.reference || ' ' || e.model || ' on ' || e.dataset END, e.split,
       COALESCE(e.queue_rank, e.queued_at), e.reference, e.question, e.dataset, e.model, e.reason,
       e.started_at, 0, e.n, e.error_title, e.error_next_step, 1, NULL, NULL
FROM evaluations e LEFT JOIN runs r ON r.id = e.run_id
"""

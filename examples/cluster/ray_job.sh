#!/bin/bash
# Hands a build to a Ray cluster as a job, whose driver runs there: RAY_API_SERVER_ADDRESS is the
# cluster's (http://HEAD:8265; `ray job` is of the package ray[default]). OUT is one folder for all nodes.
set -euo pipefail

exec ray job submit --submission-id "jax-ir-pairs-${CONFIG:-hlo-100k}-$(date +%s)" -- \
  jax-ir-pairs build "${CONFIG:-hlo-100k}" --out "${OUT:-/shared/out}" --engine ray --address auto

#!/bin/sh
# What docker-stack.yml takes for granted, made once, on the manager that is to keep the data: three
# random secrets, and the label of that node. What is there already is left as it is.
set -eu

secret() {
  if docker secret inspect "$1" >/dev/null 2>&1; then
    echo "secret $1: is there"
    return
  fi
  # Hexadecimal: it needs no quoting wherever it may be put.
  od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n' | docker secret create "$1" - >/dev/null
  echo "secret $1: made"
}

secret longhaul-http-token
secret longhaul-postgres-password
secret longhaul-rabbitmq-password

# Volumes are a node's own: RabbitMQ and Postgres must always come back to this one.
if [ -n "$(docker node ls -q --filter node.label=longhaul.data=true)" ]; then
  echo 'label longhaul.data=true: a node has it'
else
  docker node update --label-add longhaul.data=true "$(docker info --format '{{.Swarm.NodeID}}')" >/dev/null
  echo 'label longhaul.data=true: put on this node'
fi

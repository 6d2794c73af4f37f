import { object, text } from '../../../../src/core/compose/reader.ts'
import type { Json, JsonObject } from '../../../../src/core/json.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import { unitLabelsOf } from '../labels.ts'
import { containerSpecOf } from './container-spec.ts'
import { pairs, present, presentOrNone } from './draft.ts'
import type { SwarmFacts } from './draft.ts'
import { networksOf } from './networks.ts'
import { refuseNewer } from './newer-keys.ts'
import { placementOf, resourcesOf } from './resources.ts'

/**
 * A unit as the swarm is asked for it: a service with one replica that is never started again.
 *
 * Not a job: `ReplicatedJob` runs a failed one again after every change of the leader (swarmkit
 * jobs/replicated/reconciler.go, moby #53632). `MaxAttempts` does nothing under `none` but has the
 * finished task kept where the swarm's history limit is 0 (task_reaper.go): without its task object a
 * service is started anew.
 *
 * `Rejected` for what no swarm, or not this one, can do.
 */
export function serviceSpecOf(unit: UnitSpec, facts: SwarmFacts): JsonObject {
  refuseNewer(unit.service, facts.api)
  const { compose } = unit.service
  const networks = networksOf(unit.service)
  const deployLabels = pairs(object(compose['deploy'], 'deploy')['labels'], 'deploy.labels')
  return present({
    Name: unit.name,
    Labels: { ...deployLabels, ...unitLabelsOf(unit) },
    TaskTemplate: present({
      ContainerSpec: containerSpecOf(unit, facts),
      Resources: resourcesOf(unit),
      RestartPolicy: { Condition: 'none', MaxAttempts: 1 },
      Placement: placementOf(unit),
      Networks: networks.length === 0 ? undefined : networks,
      LogDriver: logDriver(compose['logging']),
    }),
    Mode: { Replicated: { Replicas: 1 } },
    // A virtual address would hold one of the network's until the service is removed (moby #43052).
    EndpointSpec: networks.length === 0 ? undefined : { Mode: 'dnsrr' },
  })
}

function logDriver(value: Json | undefined): JsonObject | undefined {
  const logging = object(value, 'logging')
  return presentOrNone({
    Name: text(logging['driver'], 'logging.driver'),
    Options: presentOrNone(pairs(logging['options'], 'logging.options')),
  })
}

import type { KdlNode } from '../kdl/nodes.ts'
import { block } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { integer, words } from '../schema/values.ts'

const wait = durationWithin('1ms')

export const restart = block({
  policy: setting(words(['always', 'on-failure', 'never'], {}), 'always', 'When it is started again: whenever it ends, only when it ends with an error, or never.'),
  initialDelay: setting(wait, '100ms', 'Wait before the first restart.', { aliases: ['delay', 'delay-ms'] }),
  maxDelay: setting(wait, '10s', 'Longest wait between restarts; never shorter than the first.', { aliases: ['max-delay-ms'] }),
  maxRestarts: setting(integer(0, 1_000_000), 0, 'Restarts in a row after which it is given up; 0 = never. Ten seconds of running begin a new row.'),
  whenSilent: setting(durationWithin('0s'), '30s', 'How long it may listen and give no sign of life before it is ended and started again: a process that is stopped, or in a loop without end. Ten times as long where it has not given any yet. "0s" = for ever, for instance while it is debugged.'),
}, 'Starting it again when it ends.', {
  example: `restart {
    policy "on-failure"
    initial-delay "1s"
    max-restarts 10
}`,
  build (value, here) {
    if (value.initialDelay > value.maxDelay && here.given('maxDelay')) {
      here.report.error('CONFIG_CONTRADICTION', `'initial-delay' of ${here.scope} is longer than 'max-delay'`, here.where('initialDelay'))
    }
    if (value.policy === 'never' && value.maxRestarts > 0) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} has 'max-restarts', but the policy is never`, here.where('maxRestarts'))
    }
    return { ...value, maxDelay: Math.max(value.initialDelay, value.maxDelay) }
  },
})

/** Settings of the agent itself in earlier versions. */
function intoRestart (name: string) {
  return (node: KdlNode): KdlNode[] => [{ name: 'restart', at: node.at, args: [], props: [], children: [{ ...node, name }] }]
}

export const olderRestart: OlderForms = {
  'restart-policy': { doc: 'write restart { policy "…" }', into: intoRestart('policy') },
  'restart-delay-ms': { doc: 'write restart { initial-delay "…" }', into: intoRestart('delay-ms') },
  'max-restarts': { doc: 'write restart { max-restarts … }', into: intoRestart('max-restarts') },
}

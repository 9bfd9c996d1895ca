import type { Exchange, Reply } from '../../pipeline/exchange.ts'
import { faultAnswer, problemReply } from '../../pipeline/fault-reply.ts'
import { faults } from '../../pipeline/faults.ts'
import { isGrpc } from '../../pipeline/grpc.ts'
import type { Violation } from './engine.ts'

/** What does not fit, place by place. No value that the client sent goes into it. */
export function violationReply (x: Exchange, violations: readonly Violation[], status: number): Reply {
  if (isGrpc(x)) return faultAnswer(x, 'SCHEMA_VIOLATED')
  const errors = violations.slice(0, 20).map(({ in: place, at, rule, message }) => ({ in: place, [place === 'body' ? 'pointer' : 'name']: at, rule, message }))
  return problemReply(status, faults.SCHEMA_VIOLATED.doc, x.id, { errors })
}

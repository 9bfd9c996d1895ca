import { named } from '../schema/blocks.ts'
import { notBuilt } from '../schema/fields.ts'

export const namespaces = notBuilt(named('namespace', {}, 'A part of the configuration with names of its own.', { direct: true, namespace: true }))

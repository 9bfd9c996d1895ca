import type { Inspection } from '../inspection.ts'
import { agreedPacking, keepReadableOffers } from './extensions.ts'
import { Inspector } from './inspector.ts'

export const inspection: Inspection = { agreedPacking, keepReadableOffers, inspect: (source, settings) => new Inspector(source, settings) }

export { ask, ControlError, type Answered, type Asked } from './client.ts'
export type { Cuts, Operations, Plan, PlanOutcome, Refused, ReloadOutcome, UpgradeOutcome } from './operations.ts'
export { findPlaces, makePlace, surroundingsOf, type Surroundings } from './place.ts'
export { openControl, type Control, type ControlLog, type ControlSettings } from './server.ts'

export { webSocketFilter, type WebSocketSettings } from './filter.ts'
export type { Inspection } from './inspection.ts'
export type { FramesPassed } from './watch.ts'
export { Places } from './places.ts'

export { webSocketFilter, type WebSocketSettings } from './filter.ts'
export { Places } from './places.ts'

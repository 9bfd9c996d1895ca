export { Door, type Place } from './door.ts'
export { createListener } from './server.ts'
export type { Listener, ListenerEvent, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'

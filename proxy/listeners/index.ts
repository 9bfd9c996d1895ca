export { createListener } from './http1.ts'
export type { Listener, ListenerEvent, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'

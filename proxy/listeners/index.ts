export { Door, type Place } from './door.ts'
export { createListener } from './server.ts'
export { findByName } from './sni-contexts.ts'
export type { CertificatePair, HandshakeOutcome, Listener, ListenerEvent, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'

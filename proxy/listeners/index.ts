export { createListener } from './server.ts'
export type { CertificatePair, HandshakeOutcome, Listener, ListenerEvent, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'

export { Session } from './session.ts'
export type { Stream } from './stream.ts'
export type { Broken, HeadProblem, SessionSettings, SessionUser, Source, StreamUser } from './contract.ts'
export { errorCode, errorName, pingFrame, preface } from './protocol.ts'

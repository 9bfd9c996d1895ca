import assert from 'node:assert/strict'
import type { Applications, Expectation, Feature } from '../expectation.ts'

export const applications: Applications = { chat: 8081 }

export const expected: readonly Expectation[] = [
  { path: '/', status: 200, answerHeaders: { 'x-application': 'chat' } },
]

export const features: readonly Feature[] = [
  {
    promise: 'a message passes, and so does the answer to it',
    async holds ({ say }) { assert.equal(await say('chat.test', 'hello'), 'chat: hello') },
  },
  {
    promise: 'a message with a forbidden word is never seen by the application, whatever its case; the next one is',
    async holds ({ say }) { assert.equal(await say('chat.test', 'Buy SPAM here', 'the CasiNO is open', 'hello again'), 'chat: hello again') },
  },
]

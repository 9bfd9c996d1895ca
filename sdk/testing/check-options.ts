import { checkNames } from '../check-names.ts'
import type { FuzzBodyOptions } from './fuzz-body.ts'
import type {
  TestAgentOptions, TestInspection, TestMessageInit, TestRequestInit, TestResponseInit, TestTool, TestToolCall, TestToolResult,
} from './harness.ts'

type Names<T> = Readonly<Record<keyof T, true>>

const ofAgent: Names<TestAgentOptions> = { config: true, clock: true }
const ofRequest: Names<TestRequestInit> = {
  headers: true, body: true, trailers: true, ip: true, route: true, attributes: true, bodyMode: true, timeoutMs: true, maxTimeoutMs: true,
}
const ofResponse: Names<TestResponseInit> = { headers: true, body: true, trailers: true, upstream: true, bodyMode: true }
const ofTool: Names<TestTool> = { id: true, protocol: true, server: true }
const ofCall: Names<TestToolCall> = { ...ofTool, tool: true, arguments: true }
const ofResult: Names<TestToolResult> = { ...ofTool, tool: true, result: true, isError: true }
const ofInspection: Names<TestInspection> = { inspection: true, texts: true, categories: true, model: true }
const ofMessage: Names<TestMessageInit> = { from: true, binary: true }
const ofFuzz: Names<FuzzBodyOptions> = { of: true, method: true, url: true, request: true, response: true, random: true, seed: true }

// A test that is run without a compiler must not pass because the thing that it is about was never said.

export function checkAgentOptions (options: TestAgentOptions): void {
  checkNames('testAgent', options, ofAgent)
}

export function checkRequest (method: string, init: TestRequestInit): void {
  // A token of RFC 9110 section 5.6.2.
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(method)) throw new TypeError(`${JSON.stringify(method)} is no method: request(method, url, { … }), for instance request('GET', '/')`)
  checkNames('a request of a test', init, ofRequest)
}

export function checkResponse (init: TestResponseInit): void {
  checkNames('a response of a test', init, ofResponse)
}

export function checkToolCall (call: TestToolCall): void {
  checkNames('a tool call of a test', call, ofCall)
}

export function checkToolResult (result: TestToolResult): void {
  checkNames('a tool result of a test', result, ofResult)
}

export function checkInspection (inspection: TestInspection): void {
  checkNames('an inspection of a test', inspection, ofInspection)
}

export function checkMessage (init: TestMessageInit): void {
  checkNames('a message of a test', init, ofMessage)
}

export function checkFuzzOptions (options: FuzzBodyOptions): void {
  checkNames('fuzzBody', options, ofFuzz)
}

import { toMarkdown } from '../config/schema/markdown.ts'
import type { Agent } from './definition.ts'

const eventWords: Readonly<Record<string, string>> = {
  request_headers: 'request heads', request_body: 'request bodies', response_headers: 'response heads', response_body: 'response bodies',
  request_trailers: 'fields behind request bodies', response_trailers: 'fields behind response bodies',
  websocket_message: 'messages of WebSockets',
}

/** What an operator has to know of an agent, as a page of Markdown: what it is sent, what it sets, and every setting of its `config {}` block. */
export function settingsPage (agent: Agent): string {
  const { name, version = '', description = '', setsHeaders = [], config = {} } = agent.definition
  const seen = agent.events.flatMap((event) => event === 'complete' ? [] : [eventWords[event] ?? event.replaceAll('_', ' ')])
  const facts = [
    `The agent is sent ${seen.join(', ')}.`,
    ...setsHeaders.length === 0 ? [] : [`It sets ${setsHeaders.map((header) => `\`${header}\``).join(', ')}: copies that clients send are removed.`],
  ]
  const settings = Object.keys(config).length === 0 ? 'The agent has no settings.\n' : toMarkdown(config, undefined, 3)
  const parts = [`# ${name}${version === '' ? '' : ` ${version}`}`, ...description === '' ? [] : [description], facts.join(' '), '## Settings of `config {}`', settings]
  return parts.join('\n\n')
}

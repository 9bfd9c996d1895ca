import { anyText, defineAgent, drop, list, replace, serve } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'moderator',
  config: { words: list(anyText, [], 'What nobody may write.') },

  prepare: ({ words }) => words.map((word) => word.toLowerCase()),

  onWebSocketMessage (message, request, { state }) {
    const text = message.text.toLowerCase()
    const word = state.find((forbidden) => text.includes(forbidden))
    if (word === undefined) return
    // What a visitor writes vanishes; what the application says is shown without the word.
    if (message.fromClient) return drop().with({ audit: { reason: 'forbidden_word', ruleIds: [word] } })
    return replace('(hidden)').with({ audit: { reason: 'forbidden_word', redactions: ['word'] } })
  },
}))

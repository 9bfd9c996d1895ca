import type { Exchange, Filter, Recording, Reply } from '../../pipeline/exchange.ts'

/** The filter, with a span of that name for each time that a sampled exchange enters it. */
export function tracedFilter (filter: Filter, name = filter.name): Filter {
  const { onRequest, onResponse } = filter
  return {
    ...filter,
    ...onRequest === undefined ? {} : {
      onRequest: (x: Exchange) => x.trace?.recording === undefined ? onRequest(x) : followed(x.trace.recording, name, 'request', () => onRequest(x)),
    },
    ...onResponse === undefined ? {} : {
      onResponse: (x: Exchange, reply: Reply) => (
        x.trace?.recording === undefined ? onResponse(x, reply) : followed(x.trace.recording, name, 'response', () => onResponse(x, reply))
      ),
    },
  }
}

type Given = ReturnType<NonNullable<Filter['onRequest']>>

function followed (recording: Recording, name: string, phase: 'request' | 'response', hook: () => Given): Given {
  const over = recording.stepBegins(name, phase)
  const failed = (error: unknown): never => {
    over(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
  const through = (reply: Reply | undefined): Reply | undefined => {
    over(reply === undefined ? 'passed' : 'answered')
    return reply
  }
  let given: Given
  try {
    given = hook()
  } catch (error) {
    return failed(error)
  }
  return given instanceof Promise ? given.then(through, failed) : through(given)
}

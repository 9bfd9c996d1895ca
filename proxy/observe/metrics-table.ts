import { counterOrGauge, histogram } from './registry.ts'
import type { Cell, Family, HistogramCell } from './registry.ts'

/** Seconds. Fine below 5 ms, where most of a proxy's life happens. */
const latencyBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Seconds. An agent call on one machine takes tens of microseconds. */
const agentBuckets = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
/** Seconds. */
const tunnelBuckets = [0.1, 1, 10, 60, 300, 900, 3600, 14_400, 86_400]
const sizeBuckets = [0, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864, 268_435_456, 1_073_741_824]

function counter (name: string, labels: readonly string[], help: string): Family<Cell> {
  return counterOrGauge({ name, kind: 'counter', labels, help })
}

function gauge (name: string, labels: readonly string[], help: string): Family<Cell> {
  return counterOrGauge({ name, kind: 'gauge', labels, help })
}

function distribution (name: string, labels: readonly string[], buckets: readonly number[], help: string): Family<HistogramCell> {
  return histogram({ name, kind: 'histogram', labels, buckets, help })
}

/** Every metric, declared once. METRICS.md is made from this (`generate.ts`). New series of it, empty, at each call. */
export function metricTable () {
  return {
    requests: counter('sentinel_requests_total', ['route', 'method', 'status'],
      'Exchanges that are over. Route "(none)" when none matched; status 0 when the client left before an answer; unusual methods are "(other)".'),
    requestDuration: distribution('sentinel_request_duration_seconds', ['route'], latencyBuckets,
      'From the first byte of the request head to the last byte of the answer.'),
    activeRequests: gauge('sentinel_active_requests', [], 'Exchanges being served now.'),
    queuedRequests: gauge('sentinel_queued_requests', [], 'Requests that wait for a place among those being served.'),
    inFlightLimit: gauge('sentinel_in_flight_limit', [], 'Requests that may be served at a time now: what is configured, or less where `adaptive-concurrency` found that out.'),
    memoryLimited: gauge('sentinel_memory_limited', [], '1 while new requests are refused because the process uses as much memory as it may.'),
    requestBody: distribution('sentinel_request_body_size_bytes', ['route'], sizeBuckets, 'Bytes of request body read from the client.'),
    responseBody: distribution('sentinel_response_body_size_bytes', ['route'], sizeBuckets, 'Bytes of response body sent to the client.'),
    openTunnels: gauge('sentinel_open_tunnels', ['route'], 'Tunnels (WebSockets) open now.'),
    tunnelDuration: distribution('sentinel_tunnel_duration_seconds', ['route'], tunnelBuckets, 'How long tunnels (WebSockets) were open; they are in no other distribution.'),
    tunnelBytes: counter('sentinel_tunnel_bytes_total', ['route', 'direction'], 'Bytes through tunnels that are over: "in" from clients, "out" to them.'),
    tunnelFrames: counter('sentinel_websocket_frames_total', ['route', 'direction', 'kind'],
      'Frames through WebSockets that are over, with the direction as in `sentinel_tunnel_bytes_total`: "text", "binary", "continuation", "ping", "pong", "close".'),
    tunnelMessages: counter('sentinel_websocket_messages_total', ['route', 'direction', 'outcome'],
      'Messages of WebSockets that agents were asked about, with the direction as in `sentinel_tunnel_bytes_total`, and what became of them: "passed", "dropped", "replaced", "closed".'),
    faults: counter('sentinel_faults_total', ['code', 'blame'], 'Exchanges that ended in a fault, by its code and by who is to blame.'),

    scopedRequests: counter('sentinel_scoped_requests_total', ['namespace', 'service', 'route', 'status'],
      'Exchanges on routes of namespaces that are over, as in `sentinel_requests_total`; the service is empty for routes of the namespace itself.'),
    scopedDuration: distribution('sentinel_scoped_request_duration_seconds', ['namespace', 'service', 'route'], latencyBuckets,
      'From the first byte of the request head to the last byte of the answer, on routes of namespaces.'),
    scopedActive: gauge('sentinel_scoped_active_requests', ['namespace', 'service'], 'Exchanges being served now on routes of namespaces.'),
    scopedAttempts: counter('sentinel_scoped_upstream_attempts_total', ['namespace', 'service', 'upstream', 'route'],
      'Requests sent to targets of an upstream for routes of namespaces, repeated ones included.'),
    scopedFailures: counter('sentinel_scoped_upstream_failures_total', ['namespace', 'service', 'upstream', 'reason'],
      'Exchanges on routes of namespaces that failed because of their upstream, by fault code.'),
    scopedRateLimited: counter('sentinel_scoped_rate_limit_hits_total', ['namespace', 'service', 'route'], 'Exchanges on routes of namespaces that a rate limit refused.'),

    upstreamAttempts: counter('sentinel_upstream_attempts_total', ['upstream', 'route'], 'Requests sent to targets of an upstream, repeated ones included.'),
    upstreamFailures: counter('sentinel_upstream_failures_total', ['upstream', 'route', 'reason'],
      'Attempts that failed: the fault code for the last attempt of an exchange, "retried" for those another attempt followed.'),
    upstreamRetries: counter('sentinel_upstream_retries_total', ['upstream', 'route', 'reason'],
      'Further tries of a route\'s retry-policy, by what came of the one before: a word of retry-on, a status, or "connection-closed" where HTTP itself asks for another.'),
    upstreamRetriesDenied: counter('sentinel_upstream_retries_denied_total', ['upstream', 'route', 'reason'],
      'Further tries that the policy would have had: "budget" was used up, the "body" too large to be kept, or the "time" of the exchange over.'),
    upstreamHedges: counter('sentinel_upstream_hedges_total', ['upstream', 'route', 'result'], 'Tries beside one that took long: "won" when the client got their answer, else "lost".'),
    upstreamDuration: distribution('sentinel_upstream_duration_seconds', ['upstream'], latencyBuckets,
      'From sending the request to the head of the upstream\'s response.'),

    cacheHits: counter('sentinel_cache_hits_total', ['route', 'kind'], 'Answers given out of those kept: "hit", "stale", or "revalidated" when the upstream said that it is right still.'),
    cacheMisses: counter('sentinel_cache_misses_total', ['route', 'kind'], 'Requests on routes that keep answers that the upstream answered: "miss", or "bypass" when nothing kept could do.'),
    cacheStores: counter('sentinel_cache_stores_total', [], 'Answers that were kept.'),
    cacheMemoryHits: counter('sentinel_cache_memory_hits_total', [], 'Kept answers found in memory.'),
    cacheDiskHits: counter('sentinel_cache_disk_hits_total', [], 'Kept answers found on disk.'),
    cacheEvictions: counter('sentinel_cache_evictions_total', [], 'Kept answers that made room for others.'),
    cacheSize: gauge('sentinel_cache_size_bytes', ['place'], 'What kept answers take: "memory" or "disk". Workers that share a folder each tell what they know of it.'),
    cacheEntries: gauge('sentinel_cache_entries', ['place'], 'Kept answers: in "memory" or on "disk".'),

    targetUp: gauge('sentinel_upstream_target_up', ['upstream', 'target'],
      '1 while the target may be asked, 0 while something speaks against it: a check, an ejection, an open circuit breaker, or the operator.'),
    targetEjections: counter('sentinel_upstream_target_ejections_total', ['upstream', 'target'], 'Targets taken out by outlier detection.'),
    breakerState: gauge('sentinel_circuit_breaker_state', ['scope', 'name', 'target'],
      'Of each circuit breaker: 0 closed, 1 half open, 2 open. Scope "target" (of the upstream of that name), "upstream" or "route".'),
    scopedBreakerState: gauge('sentinel_scoped_circuit_breaker_state', ['namespace', 'service', 'scope', 'name'],
      'As `sentinel_circuit_breaker_state`, of circuit breakers in namespaces; of the targets of an upstream, that of the worst.'),
    breakerOpenings: counter('sentinel_circuit_breaker_openings_total', ['scope', 'name', 'target'], 'How often a circuit breaker opened.'),
    healthChecks: counter('sentinel_health_checks_total', ['upstream', 'target', 'result'], 'Checks of targets: "success" or "failure".'),
    healthCheckDuration: distribution('sentinel_health_check_duration_seconds', ['upstream'], latencyBuckets, 'How long checks of targets took.'),
    targetPicks: counter('sentinel_upstream_target_picks_total', ['upstream', 'target'], 'Times that the target was picked for a request, repeated ones included.'),
    targetInFlight: gauge('sentinel_upstream_target_in_flight', ['upstream', 'target'], 'Exchanges that the target has now, open tunnels among them.'),
    targetIdle: gauge('sentinel_upstream_target_idle_connections', ['upstream', 'target'], 'Connections to the target that no exchange has.'),
    targetOpened: counter('sentinel_upstream_target_connections_opened_total', ['upstream', 'target'],
      'Connections begun to the target; picks beyond these found one that was open already.'),
    targetConnections: gauge('sentinel_upstream_target_connections', ['upstream', 'target'], 'Connections to the target, those being opened among them.'),
    targetWaiting: gauge('sentinel_upstream_target_waiting', ['upstream', 'target'], 'Exchanges that wait for a connection to the target.'),
    targetWeight: gauge('sentinel_upstream_target_weight', ['upstream', 'target'], 'Share of the target as it is now: less than was configured while it starts slowly.'),
    upstreamPanic: gauge('sentinel_upstream_panic', ['upstream'], '1 while so few targets are well that those are asked too that are not.'),

    schemaChecks: counter('sentinel_schema_checks_total', ['route', 'side', 'result'],
      'Requests and answers held against a route\'s `api-schema`: "ok", "refused", "logged" (they do not fit, and passed), or "unchecked" (it says nothing about them).'),
    shadowRequests: counter('sentinel_shadow_requests_total', ['route', 'upstream', 'result'], 'Copies of requests (`shadow`) that were sent: the status of the answer, or the fault code where there was none.'),
    shadowSkipped: counter('sentinel_shadow_skipped_total', ['route', 'reason'],
      'Requests that were to be copied and were not: "busy" (too many copies under way), "memory", "body" (bodies are not copied), "body-too-large", or "body-incomplete".'),
    shadowDuration: distribution('sentinel_shadow_duration_seconds', ['route'], latencyBuckets, 'From sending a copy of a request to the end of the answer, which nobody sees.'),
    shadowInFlight: gauge('sentinel_shadow_in_flight', ['route'], 'Copies of requests under way now.'),

    discoveryTargets: gauge('sentinel_upstream_discovery_targets', ['upstream'], 'Targets that discovery found for the upstream.'),
    discoveryRefreshes: counter('sentinel_upstream_discovery_refreshes_total', ['upstream', 'result'], 'Questions for the targets of an upstream: "success" or "failure".'),
    discoveryAge: gauge('sentinel_upstream_discovery_age_seconds', ['upstream'], 'Time since the last answer that made sense; absent until there is one.'),

    agentCalls: counter('sentinel_agent_calls_total', ['agent', 'phase', 'verdict', 'mode'], 'Questions put to agents and what they decided; "failed" when they did not.'),
    agentLatency: distribution('sentinel_agent_latency_seconds', ['agent', 'phase'], agentBuckets, 'From asking an agent to applying its decision.'),
    agentTimeouts: counter('sentinel_agent_timeouts_total', ['agent', 'phase'], 'Questions that an agent did not answer in time.'),
    agentFailures: counter('sentinel_agent_failures_total', ['agent', 'code', 'failure_mode'],
      'Questions without a decision, and whether the exchange went on (open) or not (closed).'),
    agentBlocks: counter('sentinel_blocked_requests_total', ['agent', 'verdict', 'route'], 'Exchanges that an agent\'s applied decision answered instead of the upstream.'),
    agentComparisons: counter('sentinel_agent_comparisons_total', ['agent', 'against', 'phase', 'result'],
      'Decisions of two agents about one exchange that were compared (`against`): "same" or "different".'),
    guardrails: counter('sentinel_guardrail_inspections_total', ['route', 'inspection', 'outcome'], 'Bodies whose texts a guardrail looked through: "clean", "detected", or "failed" when nobody knows.'),
    agentState: gauge('sentinel_agent_state', ['agent', 'state'], '1 for the state the agent is in, 0 for those it was in before.'),
    agentBreakerState: gauge('sentinel_agent_circuit_breaker_state', ['agent'], 'Of an agent that has one and needed it: 0 closed, 1 half open, 2 open.'),
    agentArrivals: counter('sentinel_agent_arrivals_total', ['outcome'],
      'Connections at a `reverse-listener` by what became of them: "accepted", "waits", "enough", "denied" (name or token), "malformed", "late", "crowded", "no_tls", "gone", "closing".'),
    agentHealth: gauge('sentinel_agent_health', ['agent', 'health'], '1 for how the agent says that it is: "serving", "degraded" (it is asked all the same) or "draining".'),
    agentOpenExchanges: gauge('sentinel_agent_open_exchanges', ['agent'], 'Exchanges that the agent says it has open, from all proxies that ask it.'),
    agentQueued: gauge('sentinel_agent_queued_questions', ['agent'], 'Questions that wait in the agent for somebody to work on them, as it says.'),
    agentAnswered: counter('sentinel_agent_answered_total', ['agent', 'result'], 'Answers that the agent says it gave to all proxies that ask it: "decision" or "error".'),
    agentMeanSeconds: gauge('sentinel_agent_mean_answer_seconds', ['agent'], 'From the arrival of a question in the agent to its answer, on average since it started.'),
    agentRestarts: counter('sentinel_agent_restarts_total', ['agent'], 'Starts of a managed agent after its first.'),
    agentProtocolFaults: counter('sentinel_agent_protocol_faults_total', ['agent', 'kind'], 'Replies of an agent that break the protocol, by kind.'),

    rateLimitHits: counter('sentinel_rate_limit_hits_total', ['scope', 'name', 'route'],
      'Requests over a limit, refused or only noted. Scope and name say which: "filter", "route", "route-total", "listener", "default", "global", "limits".'),
    rateLimitAllowed: counter('sentinel_rate_limit_allowed_total', ['scope', 'name', 'route'], 'Requests that a limit let through.'),
    rateLimitDelayed: counter('sentinel_rate_limit_delayed_total', ['scope', 'name', 'route'], 'Of those, requests that had to wait for their turn.'),
    rateLimitKeys: gauge('sentinel_rate_limit_keys', ['scope', 'name'], 'Keys that a limit remembers in this proxy.'),
    rateLimitEvictions: counter('sentinel_rate_limit_key_evictions_total', ['scope', 'name'], 'Keys that were forgotten because a limit had too many (`max-keys`).'),
    rateLimitUnknown: counter('sentinel_rate_limit_store_failures_total', ['scope', 'name'], 'Requests about which the store of a limit said nothing (`on-failure`).'),

    evidenceRecords: counter('sentinel_evidence_records_total', [], 'Evidence records written to the file.'),
    evidenceDropped: counter('sentinel_evidence_dropped_total', [], 'Evidence records lost because the queue was full; each loss is a record of the chain, too.'),
    evidenceQueue: gauge('sentinel_evidence_queue_records', [], 'Evidence records that wait to be written.'),
    evidenceFailing: gauge('sentinel_evidence_failing', [], '1 while the evidence file cannot be written.'),
    logLinesLost: counter('sentinel_log_lines_lost_total', ['log'], 'Lines of a log lost because the disk or the reader was too slow: "access-log", "error-log", "audit-log".'),

    traceSpans: counter('sentinel_trace_spans_total', ['result'],
      'Spans of sampled requests: "sent" to the collector, "refused" by it, "left-out" because too many were waiting, "lost" because it could not be reached.'),

    failedUpgrades: counter('sentinel_failed_upgrades_total', [], 'New processes of the program that did not come to serve: this one goes on.'),
    configReloads: counter('sentinel_config_reloads_total', ['result'], 'Reloads of the configuration: "success" or "failure".'),
    configReloadTime: gauge('sentinel_config_last_reload_success_timestamp_seconds', [], 'When the running configuration was put in place (Unix time).'),

    tlsHandshakes: counter('sentinel_tls_handshakes_total', ['listener', 'version', 'kind'], 'TLS handshakes with clients that were completed: "full" or "resumed".'),
    tlsHandshakeFailures: counter('sentinel_tls_handshake_failures_total', ['listener', 'reason'], 'TLS handshakes with clients that failed, by reason.'),
    tlsHandshakeDuration: distribution('sentinel_tls_handshake_duration_seconds', ['version'], latencyBuckets,
      'From accepting a connection to the end of its TLS handshake.'),
    tlsCertificates: gauge('sentinel_tls_certificates_loaded', ['listener'], 'Certificates that a listener has, its own and those for other names.'),
    tlsCertificateExpiry: gauge('sentinel_tls_certificate_expiry_timestamp_seconds', ['listener', 'certificate'],
      'When a certificate ends (Unix time), by the first name in it; the earliest where several have it.'),
    tlsReloads: counter('sentinel_tls_reload_total', ['result'], 'Certificates of a listener taken over from their files while it is open: "success" or "failure".'),
    tlsFolderSkipped: counter('sentinel_tls_folder_entries_skipped_total', ['reason'], 'Files in certificate folders that were left out, by reason.'),
    tlsStapling: counter('sentinel_tls_ocsp_answers_total', ['result'], 'Questions to authorities about certificates: "good", "revoked" or "failed".'),

    openConnections: gauge('sentinel_open_connections', ['listener'], 'Client connections open now.'),
    connections: counter('sentinel_connections_total', ['listener'], 'Client connections that were let in.'),
    connectionDuration: distribution('sentinel_connection_duration_seconds', ['listener'], tunnelBuckets, 'How long client connections were open.'),
    listenerFaults: counter('sentinel_listener_faults_total', ['listener', 'code'],
      'What listeners refused before there was an exchange, by fault code: connections over a limit, failed handshakes, requests that could not be read.'),
    workers: gauge('sentinel_workers', [], 'Worker processes that serve now; 0 where one process does everything.'),
    workerRestarts: counter('sentinel_worker_restarts_total', ['reason'], 'Worker processes that were replaced: "ended" by themselves or by a signal, "silent" when they did not answer.'),
    eventLoopLag: gauge('sentinel_event_loop_lag_seconds', ['stat'], 'Delay of the event loop since the last scrape: "mean", "p99", "max".'),
    eventLoopUtilization: gauge('sentinel_event_loop_utilization_ratio', [], 'Share of the time since the last scrape that the event loop worked, of the busiest process: near 1 it cannot do more.'),

    requestsByHost: counter('sentinel_requests_by_host_total', ['host', 'route', 'status'], 'As `sentinel_requests_total`, by the host that the client named. Only with `high-cardinality`.'),
    requestsByMethod: counter('sentinel_requests_by_method_total', ['route', 'method'], 'Exchanges by the method as it was sent. Only with `high-cardinality`.'),
    targetDuration: distribution('sentinel_upstream_target_duration_seconds', ['upstream', 'target'], latencyBuckets,
      'As `sentinel_upstream_duration_seconds`, by the target that answered. Only with `high-cardinality`.'),

    seriesOverflow: counter('sentinel_metrics_overflow_total', ['metric'], 'Observations counted under "(other)" because a metric had too many series.'),
    up: gauge('sentinel_up', [], '1 while the proxy runs.'),
    buildInfo: gauge('sentinel_build_info', ['version', 'node'], 'Always 1; the labels say what runs.'),

    cpu: counter('process_cpu_seconds_total', [], 'Processor time of the process, user and system.'),
    residentMemory: gauge('process_resident_memory_bytes', [], 'Memory the process holds.'),
    heapUsed: gauge('nodejs_heap_size_used_bytes', [], 'JavaScript heap in use.'),
    heapTotal: gauge('nodejs_heap_size_total_bytes', [], 'Memory set aside for the JavaScript heap.'),
    openDescriptors: gauge('process_open_fds', [], 'File descriptors in use: connections, logs, pipes. Absent where the system does not say.'),
    mostDescriptors: gauge('process_max_fds', [], 'File descriptors that the process may use. Absent where the system does not say.'),
    externalMemory: gauge('nodejs_external_memory_bytes', [], 'Memory of buffers and native objects outside the heap.'),
    startTime: gauge('process_start_time_seconds', [], 'When the process started (Unix time).'),
  }
}

export type MetricTable = ReturnType<typeof metricTable>

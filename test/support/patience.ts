/**
 * How long a test waits for what is sure to come, in milliseconds: on a machine that does other things as well even a start takes long. It says nothing of
 * the product: where that promises a time, the test states it.
 */
export const patienceMs = 90_000

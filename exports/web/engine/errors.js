// What can go wrong, in words for people and in codes for the pages.

/**
 * An error that may be shown to people: what was expected, what came, what to do.
 *
 * Codes: 'hash' a file is not the one that was exported; 'missing' a file or part is not there;
 * 'schema' a manifest that this app cannot read; 'wasm' no WebAssembly; 'memory' not enough of it;
 * 'network' a file could not be fetched; 'input' a value out of range; 'runtime' the runtime
 * failed; 'aborted' it was stopped on request.
 */
export class EngineError extends Error {
  /**
   * @param {string} code one of the above
   * @param {string} message for people
   */
  constructor(code, message) {
    super(message);
    this.name = 'EngineError';
    this.code = code;
  }
}

// What browsers, ONNX Runtime and LiteRT say where memory runs out.
const OUT_OF_MEMORY = /out of memory|oom|bad_alloc|allocation failed|could not allocate|memory\.grow/i;

/**
 * Makes an EngineError of whatever a runtime threw.
 * @param {unknown} error
 * @param {string} doing what was tried, to begin the message with: 'Opening x.onnx'
 * @returns {EngineError}
 */
export function explained(error, doing) {
  if (error instanceof EngineError) return error;
  // Emscripten throws numbers: pointers to exceptions whose text is lost.
  const text = String(error?.message ?? error).split('\n', 1)[0].slice(0, 300);
  if (error instanceof RangeError || OUT_OF_MEMORY.test(text)) {
    return new EngineError('memory', `${doing} needs more memory than this browser gives. `
      + 'Close other tabs, or choose a smaller precision in the settings.');
  }
  return new EngineError('runtime', `${doing} failed: ${text}. `
    + 'Try the other runtime in the settings.');
}

/** Throws where a signal was raised. @param {{aborted: boolean} | undefined} signal */
export function throwIfAborted(signal) {
  if (signal?.aborted) throw new EngineError('aborted', 'Stopped, as you asked.');
}

// Steps that can be gone through again: a slider over the frames, with play and pause.

import { button, element, icon, slider, still } from './dom.js';
import { pause } from './task.js';

const SECONDS = 3; // for the whole, played; less where there are few frames
const MOST_FRAMES = 250; // more are not told apart, and cost memory

/**
 * Frames of a picture that becomes.
 * @param {{onframe: (frame: object) => void, signal: AbortSignal}} options
 */
export class Timeline {
  frames = [];
  playing = false;

  constructor({ onframe, signal }) {
    this.onframe = onframe;
    this.signal = signal;
    this.button = button([icon('run'), 'Play'], () => (this.playing ? this.stop() : this.play()));
    this.slider = slider({ label: 'Step', min: 0, max: 1, step: 1, value: 0,
      show: (i) => `${this.frames[i]?.step ?? 0} of ${this.total ?? 0}`,
      oninput: (i) => { this.stop(); onframe(this.frames[i]); } });
    this.box = element('div', { class: 'timeline', hidden: true }, this.slider.box,
      element('div', { class: 'row' }, this.button));
  }

  /** Forget the frames. */
  begin(total) {
    this.stop();
    Object.assign(this, { total, frames: [] });
    this.box.hidden = true;
  }

  /** Add the picture after a step. */
  add(step, picture) {
    const every = Math.ceil(this.total / MOST_FRAMES);
    if (step % every === 0 || step === this.total) {
      this.frames.push({ step, picture: { ...picture, values: null } });
    }
  }

  /** Show the slider, at its end. */
  end() {
    if (this.frames.length < 2) return;
    this.slider.input.max = this.frames.length - 1;
    this.slider.set(this.frames.length - 1);
    this.box.hidden = false;
  }

  /** Play from where it stands; from the start if it is at the end. */
  async play() {
    this.playing = true;
    this.button.replaceChildren(icon('pause'), 'Pause');
    const last = this.frames.length - 1;
    let i = this.slider.input.valueAsNumber;
    if (i >= last) i = -1;
    while (this.playing && !this.signal.aborted && i < last) {
      // With less movement asked for: eight frames in all, one per second.
      i = Math.min(last, i + (still() ? Math.ceil(last / 8) : 1));
      this.slider.set(i);
      this.onframe(this.frames[i]);
      const each = Math.min(250, Math.max(16, (1000 * SECONDS) / last));
      await pause(still() ? 1000 : each, this.signal);
    }
    this.stop();
  }

  /** Stop playing. */
  stop() {
    this.playing = false;
    this.button.replaceChildren(icon('run'), 'Play');
  }
}

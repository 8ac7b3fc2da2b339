import { useCallback, useEffect, useRef, useState } from 'react';

import kgen from './assets/kgen.json';
import starter from './assets/starter.json';
import { readManifest } from './core/manifest.ts';
import type { KgenJson, StarterJson } from './core/manifest.ts';
import type { Step } from './core/network.ts';
import { Painter } from './core/painter.ts';
import { pngUri } from './core/png.ts';
import { selfTest } from './core/self-test.ts';
import type { Check } from './core/self-test.ts';
import { openNetwork } from './runtime.ts';

const manifest = readManifest(kgen as KgenJson, starter as StarterJson);
const painter = new Painter(manifest, openNetwork);

export const firstSeed = manifest.golden.seed;
export const labels = manifest.labels;
export const titles = painter.ways.map(({ title }) => title);
export const shape = manifest.image;

/** What the screen shows, and what its buttons do. */
export function useStudio() {
  const [picture, setPicture] = useState<string>();
  const [progress, setProgress] = useState(0);
  const [message, setMessage] = useState('');
  const [checks, setChecks] = useState<Check[]>([]);
  const running = useRef<AbortController>(null);

  /** Do something in place of what is being done; show its error if it has one. */
  const start = useCallback(async (job: (onStep: (step: Step) => void) => Promise<void>) => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    try {
      await job((step) => {
        if (control.signal.aborted) throw new Error('Another picture was asked for.');
        setPicture(pngUri(step.picture, manifest.image));
        setProgress(step.done / step.total);
      });
    } catch (error) {
      if (!control.signal.aborted) setMessage(error instanceof Error ? error.message : `${error}`);
    }
  }, []);

  const draw = useCallback(
    (wayNumber: number, seed: number, label: number) =>
      start(async (onStep) => {
        const way = painter.ways[wayNumber];
        if (!way) throw new Error(`Received: wayNumber=${wayNumber}.`);
        const begun = Date.now();
        await painter.draw(way, seed, { label, onStep });
        setMessage(`Seed ${seed}, ${Date.now() - begun} ms`);
      }),
    [start],
  );

  const test = useCallback(
    () =>
      start(async (onStep) => {
        setChecks([]);
        setMessage('Drawing the pictures that are known…');
        await selfTest(manifest, painter, (check) => setChecks((all) => [...all, check]), onStep);
        setMessage('');
      }),
    [start],
  );

  useEffect(() => () => running.current?.abort(), []);

  return { picture, progress, message, checks, draw, test };
}

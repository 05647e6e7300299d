// A real service with made-up sensors: the same numbers each time, so that what a browser shows can be said beforehand.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const SENSORS = 24;
export const sensorName = (i) => `pump_pressure_bar{plant="north",unit="${i}"}`;

/** Normal numbers from a seed (mulberry32, the sum of twelve uniform ones). */
export function normal(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Array.from({ length: 12 }, uniform).reduce((sum, x) => sum + x, -6);
}

export class Service {
  /** options: more arguments of `tocsin serve`. */
  static async start(tocsin, options = [], folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-web-')), port = 0) {
    const service = new Service();
    service.folder = folder;
    service.tocsin = tocsin;
    service.options = options;
    const environment = { ...process.env };
    delete environment.http_proxy;
    const log = fs.openSync(path.join(folder, 'errors.txt'), 'a');
    service.process = spawn(tocsin, ['serve', '--data', path.join(folder, 'data'), '--listen', `127.0.0.1:${port}`, ...options],
      { stdio: ['ignore', 'pipe', log], env: environment });
    service.url = await new Promise((resolve, reject) => {
      let text = '';
      service.process.stdout.on('data', (piece) => {
        text += piece;
        const match = /listening on (http:\S+)/.exec(text);
        if (match) resolve(match[1]);
      });
      service.process.on('exit', () => reject(new Error(`the service ended: ${fs.readFileSync(path.join(folder, 'errors.txt'), 'utf8')}`)));
    });
    service.port = Number(new URL(service.url).port);
    return service;
  }

  headers(more = {}) {
    return this.token ? { Authorization: `Bearer ${this.token}`, ...more } : more;
  }

  async ask(target) {
    const answer = await fetch(this.url + target, { headers: this.headers() });
    if (!answer.ok) throw new Error(`${target}: status ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  /** rows: [series, seconds, value]. */
  async send(rows) {
    for (let at = 0; at < rows.length; at += 20000) {
      const body = rows.slice(at, at + 20000).map(([series, time, value]) => JSON.stringify({ series, time, value })).join('\n');
      const answer = await fetch(`${this.url}/api/v1/rows`, { method: 'POST', body, headers: this.headers({ 'Content-Type': 'application/x-ndjson' }) });
      if (!answer.ok) throw new Error(`rows: status ${answer.status}: ${await answer.text()}`);
    }
  }

  async answer(id, document) {
    const answer = await fetch(`${this.url}/api/v1/episodes/${id}/answers`, { method: 'POST', body: JSON.stringify(document), headers: this.headers({ 'Content-Type': 'application/json' }) });
    if (!answer.ok) throw new Error(`answer: status ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  /** A second a row, from second `first` to before `last` since `begin`; `spike(i, second)` is added. */
  async feed(begin, first, last, spike = () => 0) {
    const rows = [];
    for (let second = first; second < last; second++) {
      const chance = normal(100003 + second);
      for (let i = 0; i < SENSORS; i++) {
        const add = spike(i, second);
        const value = 100 * (i + 1) + chance() + add;
        if (add !== null) rows.push([sensorName(i), begin + second, Math.round(value * 1000) / 1000]);
      }
    }
    await this.send(rows);
  }

  async wait(target, holds, seconds = 60) {
    let answer;
    for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
      answer = await this.ask(target);
      if (holds(answer)) return answer;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`${target}: ${JSON.stringify(answer).slice(0, 500)}`);
  }

  async can(operation) {
    const [method, target] = operation.split(' ');
    const document = await this.ask('/api/v1/openapi.json');
    return document.paths[target]?.[method.toLowerCase()] !== undefined;
  }

  async end(signal = 'SIGTERM') {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.removeAllListeners('exit');
    const ended = new Promise((done) => this.process.on('exit', done));
    this.process.kill(signal);
    await ended;
  }

  async destroy() {
    await this.end('SIGKILL');
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

export function makeToken(tocsin, file, name, role) {
  const made = spawnSync(tocsin, ['token', '--file', file, '--name', name, '--role', role], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  return made.stdout.trim().split(/\s+/).at(-1);
}

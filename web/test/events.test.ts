import { describe, expect, it } from 'vitest';
import { EventParser } from '../src/events';

const TEXT =
  'id: e-1\nevent: episode\ndata: {"a":1}\n\n: still here\n\nid: e-2\r\ndata: one\r\ndata: two\r\n\r\nevent: reset\nid: e-3\ndata:\n\n';

describe('server-sent events', () => {
  it('are the same in pieces of any size', () => {
    for (let size = 1; size <= TEXT.length; size++) {
      const parser = new EventParser();
      const found = [];
      for (let at = 0; at < TEXT.length; at += size) found.push(...parser.push(TEXT.slice(at, at + size)));
      expect(found, `in pieces of ${size}`).toEqual([
        { name: 'episode', data: '{"a":1}', id: 'e-1' },
        { name: 'message', data: 'one\ntwo', id: 'e-2' },
        { name: 'reset', data: '', id: 'e-3' },
      ]);
      expect(parser.lastId).toBe('e-3');
    }
  });
});

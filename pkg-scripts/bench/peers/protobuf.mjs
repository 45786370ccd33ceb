// Writes protocol buffer messages: as much of the format as an ONNX model needs.

const [VARINT, BYTES, FIXED32] = [0, 2, 5];

/** A message under construction; every method appends a field. */
export class Message {
  #parts = [];

  integer(field, value) {
    return this.#tag(field, VARINT).#append(varint(value));
  }

  float(field, value) {
    return this.#tag(field, FIXED32).#append(new Uint8Array(Float32Array.of(value).buffer));
  }

  bytes(field, bytes) {
    return this.#tag(field, BYTES).#append(varint(bytes.length)).#append(bytes);
  }

  text(field, text) {
    return this.bytes(field, new TextEncoder().encode(text));
  }

  message(field, message) {
    return this.bytes(field, message.done());
  }

  /** The message's bytes. */
  done() {
    const whole = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #tag(field, wire) {
    return this.#append(varint((field << 3) | wire));
  }

  #append(bytes) {
    this.#parts.push(bytes);
    return this;
  }
}

/** Seven bits a byte, the lowest first; negative numbers as 64 bits. */
function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

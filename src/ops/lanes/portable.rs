//! The register as an array, to the bit what `simd128` computes.

/// Four floats.
pub type Lanes = [f32; 4];

/// One value four times.
#[inline(always)]
pub fn splat(value: f32) -> Lanes {
    [value; 4]
}

/// From an array.
#[inline(always)]
pub fn load(x: [f32; 4]) -> Lanes {
    x
}

/// To an array.
#[inline(always)]
pub fn store(x: Lanes) -> [f32; 4] {
    x
}

/// `a + b`.
#[inline(always)]
pub fn add(a: Lanes, b: Lanes) -> Lanes {
    std::array::from_fn(|at| a[at] + b[at])
}

/// `a b + sum`.
#[inline(always)]
pub fn multiply_add(a: Lanes, b: Lanes, sum: Lanes) -> Lanes {
    std::array::from_fn(|at| a[at] * b[at] + sum[at])
}

/// Sixteen signed bytes.
pub type Bytes = [i8; 16];
/// Eight signed 16-bit integers.
pub type Shorts = [i16; 8];
/// Four signed 32-bit integers.
pub type Ints = [i32; 4];

/// From an array.
#[inline(always)]
pub fn bytes(x: &[u8; 16]) -> Bytes {
    x.map(u8::cast_signed)
}

/// The four nibbles of each of eight shorts, the lowest first, as numbers from 0 to 15.
#[inline(always)]
pub fn nibbles(x: Bytes) -> [Shorts; 4] {
    let byte = |at: usize| i16::from(x[at].cast_unsigned());
    std::array::from_fn(|n| std::array::from_fn(|lane| byte(2 * lane + n / 2) >> (4 * (n % 2)) & 15))
}

/// `x - y` for each.
#[inline(always)]
pub fn less(x: Shorts, y: i16) -> Shorts {
    x.map(|x| x - y)
}

/// Two bytes each, the second the upper one.
#[inline(always)]
pub fn words(x: Bytes) -> Shorts {
    std::array::from_fn(|lane| i16::from_le_bytes([x[2 * lane].cast_unsigned(), x[2 * lane + 1].cast_unsigned()]))
}

/// Bits `count` of each, from bit `from` on, moved up to bit `to`.
#[inline(always)]
pub fn field(x: Shorts, from: u32, count: u32, to: u32) -> Shorts {
    x.map(|x| ((x.cast_unsigned() >> from & ((1 << count) - 1)) << to).cast_signed())
}

/// The bits of either.
#[inline(always)]
pub fn either(x: Shorts, y: Shorts) -> Shorts {
    std::array::from_fn(|lane| x[lane] | y[lane])
}

/// 16 where bit `2 lane` of `bits` is set, else 0.
#[inline(always)]
pub fn sixteens(bits: u16) -> Shorts {
    std::array::from_fn(|lane| (bits >> (2 * lane) & 1).cast_signed() << 4)
}

/// Four sums of the products of two neighbours each, and of those of two registers.
#[inline(always)]
pub fn dot_two(a: [Shorts; 2], b: [Shorts; 2]) -> Ints {
    dot([a[0], a[1], [0; 8], [0; 8]], [b[0], b[1], [0; 8], [0; 8]])
}

/// The first, third, ... of sixteen signed bytes.
#[inline(always)]
pub fn evens(x: Bytes) -> Shorts {
    std::array::from_fn(|at| x[2 * at].into())
}

/// The second, fourth, ... of sixteen signed bytes.
#[inline(always)]
pub fn odds(x: Bytes) -> Shorts {
    std::array::from_fn(|at| x[2 * at + 1].into())
}

/// From an array.
#[inline(always)]
pub fn shorts(x: [i16; 8]) -> Shorts {
    x
}

/// Four sums of the products of two neighbours each, and of those of four registers.
#[inline(always)]
pub fn dot(a: [Shorts; 4], b: [Shorts; 4]) -> Ints {
    let mut sums = [0; 4];
    for (a, b) in a.iter().zip(&b) {
        for (at, sum) in sums.iter_mut().enumerate() {
            *sum += i32::from(a[2 * at]) * i32::from(b[2 * at]) + i32::from(a[2 * at + 1]) * i32::from(b[2 * at + 1]);
        }
    }
    sums
}

/// The nearest floats.
#[inline(always)]
pub fn floats(x: Ints) -> Lanes {
    x.map(|x| x as f32)
}

/// The numbers of both in turn: the first of `even`, the first of `odd`, the second of `even`, ...
#[inline(always)]
pub fn zipped(even: Shorts, odd: Shorts) -> [Lanes; 4] {
    let number = |at: usize| f32::from(if at.is_multiple_of(2) { even[at / 2] } else { odd[at / 2] });
    std::array::from_fn(|register| std::array::from_fn(|lane| number(4 * register + lane)))
}

/// The finite 16-bit floats in the low and in the high halves of four words, as 32-bit floats.
#[inline(always)]
pub fn halves(words: [u32; 4]) -> [Lanes; 2] {
    let wide =
        |x: u32| f32::from_bits((x.cast_signed() >> 3).cast_unsigned() & 0x8fff_e000) * f32::from_bits(0x7780_0000);
    [words.map(|x| wide(x << 16)), words.map(wide)]
}

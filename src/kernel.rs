//! What a GPU runs for one op: plain data, so that planning and printing need no GPU.

/// What kind of GPU the kernels will run on; decides between kernel variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdapterKind {
    /// A rasteriser on the CPU (SwiftShader, lavapipe): workgroup memory and barriers are what it does worst.
    Software,
    /// A real GPU.
    Hardware,
}

/// One compute dispatch. Bindings are the op's inputs in order, then its outputs, all in group 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// WGSL source of one file; validates alone. Its entry point is `main`.
    pub wgsl: &'static str,
    /// Values of the file's `override` constants.
    pub constants: Vec<(&'static str, f64)>,
    /// Workgroups in x, y and z.
    pub grid: [u32; 3],
}

/// WebGPU's limit on workgroups in one dimension.
pub const MAX_GRID: usize = 65_535;

/// Workgroups for `count` of them, folded into two dimensions where one cannot hold them.
/// A kernel finds its number as `id.x + id.y * grid.x`, and checks it against the count.
pub fn grid(count: usize) -> [u32; 3] {
    let y = count.div_ceil(MAX_GRID).max(1);
    [count.div_ceil(y).max(1) as u32, y as u32, 1]
}

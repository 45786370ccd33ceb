//! What a GPU runs for one op: plain data, so that planning and printing need no GPU.

/// What kind of GPU the kernels will run on; decides between kernel variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdapterKind {
    /// A rasteriser on the CPU (SwiftShader, lavapipe): workgroup memory and barriers are what it does worst.
    Software,
    /// A real GPU.
    Hardware,
}

impl AdapterKind {
    /// Workgroup `(width, height)` of a kernel that sums up along rows: `width` invocations share each of `height` rows.
    pub fn row_group(self) -> (usize, usize) {
        match self {
            AdapterKind::Software => (1, 16),
            AdapterKind::Hardware => (64, 1),
        }
    }

    /// Workgroup `(width, height)` of a kernel that sums up along columns: `height` invocations share each of `width` columns.
    pub fn column_group(self) -> (usize, usize) {
        match self {
            AdapterKind::Software => (64, 1),
            AdapterKind::Hardware => (16, 16),
        }
    }
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
    /// Which input of the op each read binding takes: simply all of them in order, except that a kernel with optional
    /// inputs has a binding for each, and another input, which it does not read, stands in for one that is absent.
    pub inputs: Vec<usize>,
}

impl Kernel {
    /// A kernel that reads all `inputs` of its op; `sizes` are its unsigned constants.
    pub fn new(wgsl: &'static str, inputs: usize, sizes: &[(&'static str, usize)], grid: [u32; 3]) -> Self {
        let constants = sizes.iter().map(|(name, size)| (*name, *size as f64)).collect();
        Kernel { wgsl, constants, grid, inputs: (0..inputs).collect() }
    }

    /// Adds an unsigned constant.
    pub fn with_size(self, name: &'static str, size: usize) -> Self {
        self.with(name, size as f64)
    }

    /// Adds unsigned constants.
    pub fn with_sizes(mut self, sizes: &[(&'static str, usize)]) -> Self {
        self.constants.extend(sizes.iter().map(|(name, size)| (*name, *size as f64)));
        self
    }

    /// Adds a constant that is a float or, as 0 or 1, a boolean.
    pub fn with(mut self, name: &'static str, value: impl Into<f64>) -> Self {
        self.constants.push((name, value.into()));
        self
    }
}

/// WebGPU's limit on workgroups in one dimension.
pub const MAX_GRID: usize = 65_535;

/// Workgroups of a kernel whose workgroups compute 64 of `count` elements.
pub fn elementwise(count: usize) -> [u32; 3] {
    grid(count.div_ceil(64))
}

/// Workgroups for `count` of them, folded into two dimensions where one cannot hold them.
/// A kernel finds its number as `id.x + id.y * grid.x`, and checks it against the count.
pub fn grid(count: usize) -> [u32; 3] {
    let y = count.div_ceil(MAX_GRID).max(1);
    [count.div_ceil(y).max(1) as u32, y as u32, 1]
}

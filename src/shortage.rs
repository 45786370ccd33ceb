//! What is said of weights that a device cannot hold.

use std::fmt;

/// How much memory weights need that could not be had, and with which number formats they need less. All sizes are in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Shortage {
    /// What there was no room for.
    pub what: String,
    /// Its size.
    pub bytes: u64,
    /// Weights that were on the device already.
    pub held: u64,
    /// The `dtype` in use; None for the formats of a GGUF's own.
    pub dtype: Option<&'static str>,
    /// All weights so.
    pub needed: u64,
    /// The values of `dtype` with which they need less, and how much; the largest first.
    pub smaller: Vec<(&'static str, u64)>,
}

impl Shortage {
    /// The `dtype` to try: the largest that needs no more than was had already, or the smallest where none is known to fit.
    pub fn advised(&self) -> Option<&'static str> {
        let fits = self.smaller.iter().find(|(_, bytes)| *bytes <= self.held);
        fits.or(self.smaller.last()).map(|(dtype, _)| *dtype)
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.dtype.map_or("in the formats of the file".into(), |dtype| format!("as {dtype}"));
        write!(f, "out of memory: {} for {} could not be had", size(self.bytes), self.what)?;
        if self.held > 0 {
            write!(f, " beside {} of other weights", size(self.held))?;
        }
        write!(f, "; the model needs {} {own}", size(self.needed))?;
        let Some(advised) = self.advised() else {
            return write!(f, ", and with no other dtype less: load a smaller model, or close other tabs");
        };
        let other = |(dtype, bytes): &(&str, u64)| format!("{} as {dtype}", size(*bytes));
        let others: Vec<String> = self.smaller.iter().map(other).collect();
        write!(f, ", and would need {}: load it with {{ dtype: \"{advised}\" }}", others.join(", "))
    }
}

/// For people: three digits at least, or all there are.
fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes < 10 * unit => format!("{:.2} {name}", bytes as f64 / unit as f64),
        Some((unit, name)) => format!("{:.0} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::Shortage;

    const SMOLLM2: Shortage = Shortage {
        what: String::new(),
        bytes: 113_246_208,
        held: 0,
        dtype: Some("f32"),
        needed: 538_060_032,
        smaller: Vec::new(),
    };

    fn says(held: u64, smaller: &[(&'static str, u64)], end: &str) {
        let what = "tensor 'a.weight'".into();
        let told = Shortage { what, held, smaller: smaller.to_vec(), ..SMOLLM2 }.to_string();
        assert!(told.starts_with("out of memory: 113 MB for tensor 'a.weight' could not be had"), "{told}");
        assert!(told.ends_with(end), "{told}");
    }

    #[test]
    fn the_largest_format_that_is_known_to_fit_is_advised() {
        let smaller = [("f16", 269_094_000), ("q8", 142_980_000), ("q4", 1_234_000)];
        let sizes = "the model needs 538 MB as f32, and would need 269 MB as f16, 143 MB as q8, 1.23 MB as q4: load it";
        says(0, &smaller, &format!("{sizes} with {{ dtype: \"q4\" }}"));
        says(142_980_000, &smaller, &format!("beside 143 MB of other weights; {sizes} with {{ dtype: \"q8\" }}"));
        says(
            999,
            &[],
            "999 bytes of other weights; the model needs 538 MB as f32, and with no other dtype less: load a smaller model, or close other tabs",
        );
    }
}

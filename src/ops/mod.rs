//! The ops. Each is one `.rs` (shape, gradient, CPU twin, kernel) and its `.wgsl`; adding one adds a line here.

mod activation;
mod add;
mod attention;
mod concat;
mod cross_entropy;
mod embed;
mod gate;
mod greedy;
mod head;
mod host;
#[cfg(any(target_arch = "wasm32", test))]
mod lanes;
mod layer_norm;
mod linear;
#[cfg(any(target_arch = "wasm32", test))]
mod matmul;
mod normalize;
mod pair_loss;
mod pick;
mod pool;
mod rank_loss;
mod relative_bias;
mod rms_norm;
mod rope;
mod rows;
mod scale;
mod similarity;
mod soft_cap;
mod span_loss;
mod token_loss;

pub use activation::{Activation, ActivationGrad, ActivationKind};
pub use add::Add;
pub use attention::{Attention, AttentionGrad, Role};
pub use concat::{Columns, Concat};
pub use cross_entropy::CrossEntropy;
pub use embed::Embed;
pub use gate::{Gate, GateGrad};
pub use greedy::Greedy;
pub use head::{Head, HeadGrad};
pub use layer_norm::{LayerNorm, LayerNormGrad};
pub use linear::Linear;
pub use normalize::{Normalize, NormalizeGrad};
pub use pair_loss::{PairLoss, PairLossKind};
pub use pick::{Pick, PickGrad};
pub use pool::{Pool, PoolGrad, PoolKind};
pub use rank_loss::{RankLoss, RankVariant};
pub use relative_bias::RelativeBias;
pub use rms_norm::{RmsNorm, RmsNormGrad};
pub use rope::Rope;
pub use rows::{Rows, RowsGrad};
pub use scale::{Scale, ScaleGrad};
pub use similarity::{Similarity, SimilarityGrad};
pub use soft_cap::{SoftCap, SoftCapGrad};
pub use span_loss::SpanLoss;
pub use token_loss::{TokenLoss, TotalLoss};

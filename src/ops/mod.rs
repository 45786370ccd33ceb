//! The ops. Each is one `.rs` (shape, gradient, CPU twin, kernel) and its `.wgsl`; adding one adds a line here.

mod activation;
mod add;
mod attention;
mod attention_grad;
mod attention_twin;
#[cfg(any(target_arch = "wasm32", test))]
mod block_dot;
#[cfg(any(target_arch = "wasm32", test))]
mod block_dot_long;
#[cfg(any(target_arch = "wasm32", test))]
mod block_floats;
#[cfg(any(target_arch = "wasm32", test))]
mod block_formats;
mod blocks;
mod cached_attention;
mod concat;
mod cross_entropy;
mod embed;
mod gate;
mod gather;
mod greedy;
mod head;
mod host;
#[cfg(any(target_arch = "wasm32", test))]
mod lanes;
mod layer_norm;
mod linear;
mod linear_kernels;
#[cfg(any(target_arch = "wasm32", test))]
mod matmul;
#[cfg(any(target_arch = "wasm32", test))]
mod matvec;
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
mod segments;
mod similarity;
mod soft_cap;
mod span_loss;
mod store;
mod token_loss;

pub use activation::{Activation, ActivationGrad, ActivationKind};
pub use add::Add;
pub use attention::Attention;
pub use attention_grad::{AttentionGrad, Role};
pub use blocks::{from_words, to_words};
pub use cached_attention::CachedAttention;
pub use concat::{Columns, Concat};
pub use cross_entropy::CrossEntropy;
pub use embed::Embed;
pub use gate::{Gate, GateGrad};
pub use gather::{Gather, GatherGrad};
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
pub use segments::{MOST_POSITIONS, MOST_SEGMENTS, mark};
pub use similarity::{Similarity, SimilarityGrad};
pub use soft_cap::{SoftCap, SoftCapGrad};
pub use span_loss::SpanLoss;
pub use store::Store;
pub use token_loss::{TokenLoss, TotalLoss};

"""What transformers are made of, besides matrix products."""

from torch import Tensor
from torch.nn import functional as F

from sfsc_deploy.runtime.mil_executor.registry import operation


@operation("scaled_dot_product_attention")
def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """`softmax(query key^T / sqrt(E) + attn_mask) value`, for `[..., L, E]`, `[..., S, E]` and `[..., S, V]`."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask)

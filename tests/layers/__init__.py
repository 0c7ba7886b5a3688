"""Rows of data, one file a family of layers."""

from __future__ import annotations

from tests.layers.rows import Row


def every_row() -> tuple[Row, ...]:
    from tests.layers import (
        activation_cases,
        attention_cases,
        binary_arithmetic_cases,
        binary_cases,
        convolution_cases,
        convolution_fold_cases,
        dropout_cases,
        indexing_cases,
        indexing_embedding_cases,
        indexing_expert_route_cases,
        indexing_scatter_cases,
        linear_cases,
        loss_cases,
        matmul_cases,
        normalization_cases,
        opaque_cases,
        opaque_function_cases,
        parameter_cases,
        pooling_cases,
        recurrent_cases,
        reduction_cases,
        shape_concat_cases,
        shape_diagonal_cases,
        shape_move_cases,
        shape_reshape_cases,
        shape_views_cases,
        unary_cases,
        unary_special_cases,
        upsampling_cases,
    )

    families = (
        convolution_cases,
        linear_cases,
        indexing_embedding_cases,
        parameter_cases,
        recurrent_cases,
        pooling_cases,
        upsampling_cases,
        normalization_cases,
        activation_cases,
        dropout_cases,
        shape_reshape_cases,
        binary_arithmetic_cases,
        shape_concat_cases,
        shape_views_cases,
        shape_move_cases,
        unary_cases,
        unary_special_cases,
        binary_cases,
        reduction_cases,
        indexing_cases,
        indexing_expert_route_cases,
        shape_diagonal_cases,
        indexing_scatter_cases,
        convolution_fold_cases,
        matmul_cases,
        attention_cases,
        loss_cases,
        opaque_cases,
        opaque_function_cases,
    )
    return tuple(row for family in families for row in family.ROWS)


def every_built_row() -> tuple[Row, ...]:
    """Without layers that say of no operation what it does, which nobody can build."""
    return tuple(row for row in every_row() if not row.layer.is_unknown)

"""Rows of data, one file a family of layers."""

from __future__ import annotations

from tests.layers.rows import Row


def every_row() -> tuple[Row, ...]:
    from tests.layers import (
        activation_cases,
        attention_cases,
        combining_cases,
        convolution_cases,
        elementwise_cases,
        embedding_cases,
        forming_cases,
        functions_cases,
        indexing_cases,
        linear_cases,
        losses_cases,
        normalization_cases,
        observed_cases,
        own_backward_cases,
        pairwise_cases,
        parameter_cases,
        patches_cases,
        pooling_cases,
        products_cases,
        rearranging_cases,
        recurrent_cases,
        reductions_cases,
        regularization_cases,
        reshaping_cases,
        routing_cases,
        scattering_cases,
        upsampling_cases,
        views_cases,
    )

    families = (
        convolution_cases,
        linear_cases,
        embedding_cases,
        parameter_cases,
        recurrent_cases,
        pooling_cases,
        upsampling_cases,
        normalization_cases,
        activation_cases,
        regularization_cases,
        reshaping_cases,
        combining_cases,
        views_cases,
        rearranging_cases,
        elementwise_cases,
        functions_cases,
        pairwise_cases,
        reductions_cases,
        indexing_cases,
        routing_cases,
        forming_cases,
        scattering_cases,
        patches_cases,
        products_cases,
        attention_cases,
        losses_cases,
        observed_cases,
        own_backward_cases,
    )
    return tuple(row for family in families for row in family.ROWS)


def every_built_row() -> tuple[Row, ...]:
    """Without layers that say of no operation what it does, which nobody can build."""
    return tuple(row for row in every_row() if not row.layer.is_unknown)

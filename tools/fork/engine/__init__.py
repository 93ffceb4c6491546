# SPDX-License-Identifier: Apache-2.0
"""In: trees and groups of requests. Out: tokens, compilations, times; the demo."""

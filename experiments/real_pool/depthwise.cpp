// Weight gradient of a depthwise convolution in float32, channels last, for kernels of 3 to 11 and AVX-512.
//
// x (b, hp, wp, c) is the padded input and g (b, h, w, c) the gradient of the output, both contiguous; s is the stride.
// out (k, k, c) receives the gradient of the weights. Sums over an image's rows stay in registers, and the 32 channels
// in progress stay in the first-level cache. Returns 1 for another kernel.

#include <immintrin.h>

template <int K, int V>
static void block(const float* x, const float* g, float* out, const __mmask16* m, long b, long hp, long wp, long h, long w, long c, long s) {
  __m512 total[K * K * V]; for (auto& t : total) t = _mm512_setzero_ps();
  for (long n = 0; n < b; ++n)
    for (int i = 0; i < K; ++i) {
      __m512 acc[K][V]; for (int j = 0; j < K; ++j) for (int v = 0; v < V; ++v) acc[j][v] = total[(i * K + j) * V + v];
      for (long y = 0; y < h; ++y) {
        const float* gr = g + (n * h + y) * w * c;
        const float* xr = x + (n * hp + y * s + i) * wp * c;
        for (long z = 0; z < w; ++z)
          for (int v = 0; v < V; ++v) {
            __m512 gv = _mm512_maskz_loadu_ps(m[v], gr + z * c + 16 * v);
            for (int j = 0; j < K; ++j)
              acc[j][v] = _mm512_fmadd_ps(gv, _mm512_maskz_loadu_ps(m[v], xr + (z * s + j) * c + 16 * v), acc[j][v]);
          }
      }
      for (int j = 0; j < K; ++j) for (int v = 0; v < V; ++v) total[(i * K + j) * V + v] = acc[j][v];
    }
  for (int t = 0; t < K * K; ++t) for (int v = 0; v < V; ++v) _mm512_mask_storeu_ps(out + t * c + 16 * v, m[v], total[t * V + v]);
}
template <int K>
static void rows(const float* x, const float* g, float* out, long b, long hp, long wp, long h, long w, long c, long s) {
  for (long c0 = 0; c0 < c; c0 += 32) {
    long left = c - c0;
    __mmask16 m[2] = {(__mmask16)(left >= 16 ? 0xFFFF : (1u << left) - 1), (__mmask16)(left >= 32 ? 0xFFFF : left <= 16 ? 0 : (1u << (left - 16)) - 1)};
    if (left > 16) block<K, 2>(x + c0, g + c0, out + c0, m, b, hp, wp, h, w, c, s);
    else block<K, 1>(x + c0, g + c0, out + c0, m, b, hp, wp, h, w, c, s);
  }
}
extern "C" int depthwise_weight_gradient(const float* x, const float* g, float* out, long b, long hp, long wp, long h, long w, long c, long s, long k) {
  switch (k) {
    case 3: rows<3>(x,g,out,b,hp,wp,h,w,c,s); return 0;
    case 5: rows<5>(x,g,out,b,hp,wp,h,w,c,s); return 0;
    case 7: rows<7>(x,g,out,b,hp,wp,h,w,c,s); return 0;
    case 9: rows<9>(x,g,out,b,hp,wp,h,w,c,s); return 0;
    case 11: rows<11>(x,g,out,b,hp,wp,h,w,c,s); return 0;
  }
  return 1;
}
